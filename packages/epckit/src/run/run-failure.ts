import { EpckitError } from '@epckit/interface';

/** A program of a scenario cannot go on; `code` is `EPCKIT_RUN`. */
export class RunFailure extends EpckitError {
  /** Name of its enclave in the scenario. */
  readonly enclave: string;

  constructor(enclave: string, message: string, details: readonly string[], hint: string) {
    super('EPCKIT_RUN', message, details, { hint });
    this.enclave = enclave;
  }
}
