/** Plural forms by the language's own rules, not by `n === 1`. */

type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** Returns a function that picks the form and puts the number in place of `#`. */
export function pluralizer(lang: string): (n: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(lang);
  const numbers = new Intl.NumberFormat(lang);
  return (n, forms) => (forms[rules.select(n)] ?? forms.other).replace('#', numbers.format(n));
}
