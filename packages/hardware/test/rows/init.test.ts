import { einitSuite } from './cases/init.js';
import { testRows } from './suite.js';

testRows(einitSuite);
