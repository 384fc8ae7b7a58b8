import { enclsSuite, encluSuite, enclvSuite } from './cases/gates.js';
import { testRows } from './suite.js';

for (const suite of [enclsSuite, enclvSuite, encluSuite]) testRows(suite);
