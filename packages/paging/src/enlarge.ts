type Column = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

/** A column of twice the length that begins with what `column` holds; the rest is zero. */
export function enlarge<T extends Column>(column: T): T {
  const larger = new (column.constructor as new (length: number) => T)(column.length * 2);
  larger.set(column);
  return larger;
}
