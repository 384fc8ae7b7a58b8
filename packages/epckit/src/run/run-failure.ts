import { EpckitError } from '@epckit/interface';

/** What of a program has failed. */
export interface FailedCall {
  /** The call, such as `ADD_PAGES` or `an access`. */
  readonly call: string;
  /** Its result, such as `ENOMEM`. */
  readonly result: string;
}

/** A program of a scenario cannot go on; `code` is `EPCKIT_RUN`. */
export class RunFailure extends EpckitError {
  /** Name of its enclave in the scenario. */
  readonly enclave: string;
  /** What has failed. */
  readonly failed: FailedCall;

  constructor(
    enclave: string,
    message: string,
    details: readonly string[],
    hint: string,
    failed: FailedCall = { call: '', result: '' },
  ) {
    super('EPCKIT_RUN', message, details, { hint });
    this.enclave = enclave;
    this.failed = failed;
  }
}
