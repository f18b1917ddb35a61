/** The switch of users, which development has and production has not. */
import { area } from './area';

const en = {
  title: 'Development: be somebody else', role: 'Role', number: 'Number of a user', go: 'Be them',
  now: (name: string, role: string) => `You are ${name}, ${role.toLowerCase()}`,
};

export const devText = area(en, {
  title: 'Разработка: стать другим', role: 'Роль', number: 'Номер пользователя', go: 'Стать',
  now: (name, role) => `Вы ${name}, ${role.toLowerCase()}`,
});
