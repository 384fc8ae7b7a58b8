import { NodeLists } from '../../src/recipes.js';

/** As in 2018: a free page keeps the owner that it had, until it is allocated again. */
export class OwnerStays extends NodeLists {
  protected override forgetOwner(): void {}
}
