/** Every address of the page. All but the board arrive when they are needed. */
import { createRouter } from 'sv-router';
import Board from './pages/Board.svelte';

export const { navigate, route, isActive } = createRouter({
  '/': Board,
  '/login': () => import('./pages/Login.svelte'),
  '/forgot': () => import('./pages/Forgot.svelte'),
  '/reset': () => import('./pages/Reset.svelte'),
  '/register': () => import('./pages/Register.svelte'),
  '/orders/new': () => import('./pages/NewOrder.svelte'),
  '/orders/mine': () => import('./pages/MyOrders.svelte'),
  '/orders/:id': () => import('./pages/Order.svelte'),
  '/people/:id': () => import('./pages/Person.svelte'),
  '/contracts': () => import('./pages/Contracts.svelte'),
  '/balance': () => import('./pages/Balance.svelte'),
  '/payouts': () => import('./pages/Payouts.svelte'),
  '/notifications': () => import('./pages/Notifications.svelte'),
  '/settings': {
    layout: () => import('./pages/settings/Frame.svelte'),
    '/': () => import('./pages/settings/General.svelte'),
    '/profile': () => import('./pages/settings/Profile.svelte'),
    '/notifications': () => import('./pages/settings/Notifications.svelte'),
    '/security': () => import('./pages/settings/Security.svelte'),
  },
  '/admin': {
    layout: () => import('./pages/admin/Frame.svelte'),
    '/': () => import('./pages/admin/Overview.svelte'),
    '/orders': () => import('./pages/admin/Orders.svelte'),
    '/orders/:id': () => import('./pages/admin/Order.svelte'),
    '/disputes': () => import('./pages/admin/Disputes.svelte'),
    '/users': () => import('./pages/admin/Users.svelte'),
    '/users/:id': () => import('./pages/admin/User.svelte'),
    '/deliveries': () => import('./pages/admin/Deliveries.svelte'),
    '/limits': () => import('./pages/admin/Limits.svelte'),
    '/debug': () => import('./pages/admin/Debug.svelte'),
    '/categories': () => import('./pages/admin/Categories.svelte'),
    '/commission': () => import('./pages/Commission.svelte'),
    '/audit': () => import('./pages/Audit.svelte'),
    '/payouts': () => import('./pages/AdminPayouts.svelte'),
  },
  '/sandbox/robokassa': () => import('./pages/TestBank.svelte'),
  '*notfound': () => import('./pages/NotFound.svelte'),
});
