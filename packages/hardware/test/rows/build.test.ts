import { eaddSuite, eextendSuite } from './cases/build.js';
import { ecreateSuite } from './cases/create.js';
import { epaSuite, eremoveSuite } from './cases/remove.js';
import { testRows } from './suite.js';

for (const suite of [ecreateSuite, eaddSuite, eextendSuite, eremoveSuite, epaSuite]) testRows(suite);
