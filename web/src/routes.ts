/** Every address of the page. All but the board arrive when they are needed. */
import { createRouter } from 'sv-router';
import Board from './pages/Board.svelte';

export const { navigate, route, isActive } = createRouter({
  '/': Board,
  '/login': () => import('./pages/Login.svelte'),
  '/register': () => import('./pages/Register.svelte'),
  '/orders/new': () => import('./pages/NewOrder.svelte'),
  '/orders/mine': () => import('./pages/MyOrders.svelte'),
  '/orders/:id': () => import('./pages/Order.svelte'),
  '/contracts': () => import('./pages/Contracts.svelte'),
  '/balance': () => import('./pages/Balance.svelte'),
  '/payouts': () => import('./pages/Payouts.svelte'),
  '/settings': () => import('./pages/Settings.svelte'),
  '/admin/commission': () => import('./pages/Commission.svelte'),
  '/admin/audit': () => import('./pages/Audit.svelte'),
  '/admin/payouts': () => import('./pages/AdminPayouts.svelte'),
  '/sandbox/robokassa': () => import('./pages/TestBank.svelte'),
  '*notfound': () => import('./pages/NotFound.svelte'),
});
