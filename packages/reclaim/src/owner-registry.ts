import type { OwnerKindId, OwnerRegistry, PageOwner } from '@epckit/interface';
import { InvariantViolation, MisuseError } from '@epckit/interface';

/** Makes an empty table of owners by kind. */
export function createOwnerRegistry(): OwnerRegistry {
  const owners: (PageOwner | undefined)[] = [];
  return {
    register(owner: PageOwner): void {
      if (owners[owner.kind] !== undefined)
        throw new MisuseError(`Owner kind ${owner.kind} is registered already.`);
      owners[owner.kind] = owner;
    },
    of(kind: OwnerKindId): PageOwner {
      const owner = owners[kind];
      if (owner === undefined) throw new InvariantViolation(`No owner is registered for kind ${kind}.`);
      return owner;
    },
  };
}
