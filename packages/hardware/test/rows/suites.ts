import { eacceptcopySuite, eacceptSuite, emodpeSuite } from './cases/accept.js';
import { eaddSuite, eextendSuite } from './cases/build.js';
import { ecreateSuite } from './cases/create.js';
import { edeccssaSuite, eenterSuite, eexitSuite, eresumeSuite } from './cases/entry.js';
import { eblockSuite, etrackcSuite, etrackSuite, ewbSuite, loadSuites } from './cases/evict.js';
import { enclsSuite, encluSuite, enclvSuite } from './cases/gates.js';
import {
  edecvirtchildSuite,
  eincvirtchildSuite,
  erdinfoSuite,
  esetcontextSuite,
  eupdatesvnSuite,
} from './cases/host.js';
import { einitSuite } from './cases/init.js';
import { eaugSuite, edbgrdSuite, edbgwrSuite, emodprSuite, emodtSuite } from './cases/modify.js';
import { epaSuite, eremoveSuite } from './cases/remove.js';
import type { RowSuite } from './suite.js';

/** All tables. */
export const SUITES: readonly RowSuite[] = [
  ...[enclsSuite, enclvSuite, encluSuite],
  ...[ecreateSuite, eaddSuite, eextendSuite, eremoveSuite, epaSuite, einitSuite],
  ...[eblockSuite, etrackSuite, etrackcSuite, ewbSuite, ...loadSuites],
  ...[eaugSuite, emodprSuite, emodtSuite, edbgrdSuite, edbgwrSuite, erdinfoSuite, eupdatesvnSuite],
  ...[eincvirtchildSuite, edecvirtchildSuite, esetcontextSuite],
  ...[eenterSuite, eresumeSuite, eexitSuite, edeccssaSuite, eacceptSuite, eacceptcopySuite, emodpeSuite],
];
