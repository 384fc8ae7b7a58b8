import { describe, expect, it } from 'vitest';
import { discoverSections } from '../src/index.js';

describe('discoverSections', () => {
  it('adds up the pages of each node', () => {
    const config = [
      { node: 1, pageCount: 5 },
      { node: 0, pageCount: 7 },
      { node: 1, pageCount: 2 },
    ];
    expect(discoverSections(config)).toEqual({
      sections: config,
      nodes: [
        { node: 0, pageCount: 7 },
        { node: 1, pageCount: 7 },
      ],
      warnings: [],
    });
  });

  it('uses eight sections', () => {
    const nine = Array.from({ length: 9 }, () => ({ node: 0, pageCount: 11 }));
    expect(discoverSections(nine).sections.length).toBe(8);
  });

  it('stops at an unknown type and keeps what it has', () => {
    const config = [
      { node: 0, pageCount: 4 },
      { node: 0, pageCount: 4, isBadType: true },
      { node: 0, pageCount: 4 },
    ];
    expect(discoverSections(config)).toMatchObject({
      sections: [{ node: 0, pageCount: 4 }],
      warnings: [{ reason: 'unknownType', section: 1 }],
    });
  });

  it('stops silently at an invalid leaf', () => {
    const config = [
      { node: 0, pageCount: 0 },
      { node: 0, pageCount: 4 },
    ];
    expect(discoverSections(config)).toEqual({ sections: [], nodes: [], warnings: [] });
  });

  it('puts a section without node on node 0 and warns', () => {
    expect(discoverSections([{ node: -1, pageCount: 4 }])).toEqual({
      sections: [{ node: 0, pageCount: 4 }],
      nodes: [{ node: 0, pageCount: 4 }],
      warnings: [{ reason: 'noNode', section: 0 }],
    });
  });
});
