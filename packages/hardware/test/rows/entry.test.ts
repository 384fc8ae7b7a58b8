import { edeccssaSuite, eenterSuite, eexitSuite, eresumeSuite } from './cases/entry.js';
import { testRows } from './suite.js';

for (const suite of [eenterSuite, eresumeSuite, eexitSuite, edeccssaSuite]) testRows(suite);
