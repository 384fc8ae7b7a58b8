import { eacceptcopySuite, eacceptSuite, emodpeSuite } from './cases/accept.js';
import { testRows } from './suite.js';

for (const suite of [eacceptSuite, eacceptcopySuite, emodpeSuite]) testRows(suite);
