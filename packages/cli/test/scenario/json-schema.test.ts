import { expect, it } from 'vitest';
import { scenarioJsonSchema } from '../../src/index.js';

/** Formatted as everything in this repository: lists of words on one line. */
function formatJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  const onOneLine = (_list: string, words: string) => `[${words.replaceAll(/\s*\n\s*/g, ' ')}]`;
  return `${text.replaceAll(/\[\s+("[^[\]{}]*")\s+\]/g, onOneLine)}\n`;
}

it('is shipped as it is: pnpm --filter @epckit/cli run schema writes it anew', async () => {
  await expect(formatJson(scenarioJsonSchema())).toMatchFileSnapshot('../../schema/scenario.schema.json');
});
