import { eblockSuite, etrackcSuite, etrackSuite, ewbSuite, loadSuites } from './cases/evict.js';
import { testRows } from './suite.js';

for (const suite of [eblockSuite, etrackSuite, etrackcSuite, ewbSuite, ...loadSuites]) testRows(suite);
