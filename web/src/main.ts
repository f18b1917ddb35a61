import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { askForBuild, offerReload } from './state/build';
import { live } from './state/live.svelte';
import { session } from './state/session.svelte';

// The router takes every click on a link; one with a modifier belongs to the browser (new tab, new window).
document.addEventListener('click', (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) event.stopPropagation();
});

// A tab that outlived an upgrade asks for a part of the old build that is gone: only a reload helps.
addEventListener('vite:preloadError', (event) => {
  event.preventDefault();
  offerReload();
});
// The browser remembers so many; the latest are worth more than the first.
performance.addEventListener('resourcetimingbufferfull', () => performance.clearResourceTimings());
live.onBack = () => askForBuild();

session.start();
mount(App, { target: document.getElementById('app')! });
