export type { WrittenBack } from './arguments.js';
export {
  addArgument,
  createArgument,
  modifyTypesArgument,
  removeArgument,
  restrictArgument,
  writtenBack,
} from './arguments.js';
export type { IoctlDirectionId, IoctlNumber } from './ioctl-number.js';
export { decodeIoctlNumber, encodeIoctlNumber, IoctlDirection } from './ioctl-number.js';
export type { DecodedIoctl, SgxIoctl, SgxIoctlArgument, SgxIoctlName } from './ioctls.js';
export { decodeIoctl, PAGE_MEASURE, SGX_MAGIC, sgxIoctls } from './ioctls.js';
export type { SecInfoFields, SecInfoStruct } from './secinfo.js';
export { secInfoFields, secInfoStruct } from './secinfo.js';
export type { SecsStruct } from './secs.js';
export { secsStruct } from './secs.js';
export type { StructCodec, WordStruct } from './struct-codec.js';
export { wordStruct } from './struct-codec.js';
