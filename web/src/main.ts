import './app.css';
import { mount } from 'svelte';
import { toast } from './lib/toast.svelte';
import App from './App.svelte';
import { t } from './i18n/index.svelte';
import { session } from './state/session.svelte';

// The router takes every click on a link; one with a modifier belongs to the browser (new tab, new window).
document.addEventListener('click', (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) event.stopPropagation();
});

// A tab that outlived an upgrade asks for a part of the old build that is gone: only a reload helps.
addEventListener('vite:preloadError', (event) => {
  event.preventDefault();
  toast.info(t().update.text, { duration: Infinity, action: { label: t().update.reload, onClick: () => location.reload() } });
});

session.start();
mount(App, { target: document.getElementById('app')! });
