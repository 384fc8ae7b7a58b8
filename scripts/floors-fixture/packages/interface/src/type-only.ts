import type { fine } from '../../numa/src/index.js';

export type Fine = typeof fine;
