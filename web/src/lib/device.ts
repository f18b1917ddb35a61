/** What a browser calls itself, in words a person knows. A name that is not recognised stays as it came. */

export type Device = { browser: string; system: string; kind: 'desktop' | 'phone' | 'program' };

/** The order matters: nearly all of them also claim to be Chrome or Safari. */
const BROWSERS: [RegExp, string][] = [
  [/YaBrowser\//, 'Yandex Browser'], [/EdgA?\/|EdgiOS\//, 'Edge'], [/OPR\/|Opera/, 'Opera'], [/SamsungBrowser\//, 'Samsung Internet'],
  [/Firefox\/|FxiOS\//, 'Firefox'], [/HeadlessChrome\/|Chrome\/|CriOS\//, 'Chrome'], [/Safari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, 'Android'], [/iPhone|iPod/, 'iPhone'], [/iPad/, 'iPad'], [/Windows/, 'Windows'], [/Mac OS X|Macintosh/, 'macOS'],
  [/CrOS/, 'ChromeOS'], [/Linux|X11/, 'Linux'],
];

/** `null` when there is nothing to tell. */
export function deviceOf(agent: string): Device | null {
  const text = agent.trim();
  if (text === '' || text === 'unknown') return null;
  const browser = BROWSERS.find(([pattern]) => pattern.test(text))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(text))?.[1];
  if (browser === undefined || system === undefined) return { browser: text, system: '', kind: 'program' };
  return { browser, system, kind: ['Android', 'iPhone', 'iPad'].includes(system) ? 'phone' : 'desktop' };
}
