/**
 * Recipes of `@epckit/machine`: the order-critical steps that kernel generations do differently.
 *
 * @module
 */
export {};
