import { eaugSuite, edbgrdSuite, edbgwrSuite, emodprSuite, emodtSuite } from './cases/modify.js';
import { testRows } from './suite.js';

for (const suite of [eaugSuite, emodprSuite, emodtSuite, edbgrdSuite, edbgwrSuite]) testRows(suite);
