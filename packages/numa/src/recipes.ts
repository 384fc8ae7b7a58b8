/**
 * Recipes of `@epckit/numa`: the order-critical steps that kernel generations do differently. A variant is a
 * subclass that overrides one method.
 *
 * @module
 */
export { NodeLists } from './node-lists.js';
export { NodeWalk, type NodeWalkParts } from './node-walk.js';
