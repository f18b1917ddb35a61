import { describe, expect, test } from 'vitest';
import { isOtherBuild } from './build';

describe('the first page of the server', () => {
  const page = (script: string) => `<!doctype html><html lang="ru"><head><script type="module" crossorigin src="${script}"></script></head></html>`;

  test('with our script in it is of our build, whatever else is written into it', () => {
    expect(isOtherBuild('/assets/index-a1.js', page('/assets/index-a1.js'))).toBe(false);
  });

  test('with another script is of another build', () => {
    expect(isOtherBuild('/assets/index-a1.js', page('/assets/index-b2.js'))).toBe(true);
  });

  test('without any script, as a proxy says that it is busy, tells nothing', () => {
    expect(isOtherBuild('/assets/index-a1.js', '<h1>502 Bad Gateway</h1>')).toBe(false);
    expect(isOtherBuild(null, page('/assets/index-b2.js'))).toBe(false);
  });
});
