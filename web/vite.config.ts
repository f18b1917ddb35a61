import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds a running server; the page itself never knows an address. */
const backend = process.env['ORDERBOARD_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [tailwindcss(), svelte()],
  build: {
    target: 'es2023',
    // The polyfill would only serve browsers without SharedWorker modules anyway.
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  worker: { format: 'es' },
  server: {
    proxy: {
      '/api': backend,
      '/ws': { target: backend, ws: true },
    },
  },
  test: { include: ['src/**/*.test.ts'] },
});
