/** What the server has written of itself into the first page. */

type About = { mode: 'development' | 'production'; version: string };

function read(): About {
  const text = document.querySelector<HTMLMetaElement>('meta[name="orderboard"]')?.content ?? '';
  try {
    return JSON.parse(text) as About;
  } catch {
    // A page that Vite serves: nobody has written into it, and nobody but developers sees it.
    return { mode: 'development', version: '' };
  }
}

export const about = read();
