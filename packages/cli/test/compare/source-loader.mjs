// Preloaded by workers in tests; see source-hooks.mjs.
import { register } from 'node:module';

register('./source-hooks.mjs', import.meta.url);
