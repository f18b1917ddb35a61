/** Light, dark or the system's. The cookie lets the server write it into the first page: no flash. */

export type Theme = 'light' | 'dark' | 'system';

const YEAR_S = 31_536_000;

class ThemeChoice {
  current = $state<Theme>(initial());

  choose(theme: Theme): void {
    this.current = theme;
    document.documentElement.dataset['theme'] = theme === 'system' ? '' : theme;
    document.cookie = theme === 'system'
      ? 'theme=; Path=/; Max-Age=0; SameSite=Lax'
      : `theme=${theme}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax`;
  }
}

function initial(): Theme {
  const written = document.documentElement.dataset['theme'];
  return written === 'light' || written === 'dark' ? written : 'system';
}

export const theme = new ThemeChoice();
