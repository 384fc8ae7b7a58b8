import {
  edecvirtchildSuite,
  eincvirtchildSuite,
  erdinfoSuite,
  esetcontextSuite,
  eupdatesvnSuite,
} from './cases/host.js';
import { testRows } from './suite.js';

for (const suite of [erdinfoSuite, eupdatesvnSuite, eincvirtchildSuite, edecvirtchildSuite, esetcontextSuite])
  testRows(suite);
