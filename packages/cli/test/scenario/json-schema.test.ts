import { describe, expect, it } from 'vitest';
import { costFileJsonSchema, scenarioJsonSchema } from '../../src/index.js';

/** Formatted as everything in this repository: lists of words on one line. */
function formatJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  const onOneLine = (_list: string, words: string) => `[${words.replaceAll(/\s*\n\s*/g, ' ')}]`;
  return `${text.replaceAll(/\[\s+("[^[\]{}]*")\s+\]/g, onOneLine)}\n`;
}

describe('are shipped as they are: pnpm --filter @epckit/cli run schema writes them anew', () => {
  it('scenarios', async () => {
    await expect(formatJson(scenarioJsonSchema())).toMatchFileSnapshot('../../schema/scenario.schema.json');
  });

  it('files with costs', async () => {
    await expect(formatJson(costFileJsonSchema())).toMatchFileSnapshot('../../schema/costs.schema.json');
  });
});
