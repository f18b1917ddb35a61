import type { FilterTexts } from './filters.en';

export const ru: FilterTexts = {
  title: 'Фильтры', price: 'Цена', payout: 'Вам', from: 'от', to: 'до', assignment: 'Кому достанется',
  assignments: { '': 'Любые заказы', first: 'Первому', chosen: 'Выберет заказчик' },
  clear: 'Сбросить всё', close: 'Закрыть', remove: (what) => `Убрать: ${what}`,
  wrong: { malformed: 'Это не сумма. Напишите так: 1 234,50.', too_large: 'Слишком много для суммы. Напишите меньше цифр.', kept: (sum) => `По-прежнему действует: ${sum}.` },
  chip: {
    price_min: (sum) => `Цена от ${sum}`, price_max: (sum) => `Цена до ${sum}`,
    payout_min: (sum) => `Вам от ${sum}`, payout_max: (sum) => `Вам до ${sum}`, text: (words) => `«${words}»`,
  },
  saved: { title: 'Сохранённые фильтры', name: 'Название', save: 'Сохранить', hint: 'Сохраните нынешний отбор, чтобы вернуться к нему одним нажатием. Он останется в этом браузере.', remove: (name) => `Забыть «${name}»`, done: (name) => `Сохранено: «${name}»` },
  tell: { act: 'Сообщать о новых', done: 'Вам сообщат о новых заказах', all: 'все категории', what: (category, floor) => `Где: ${category}${floor}.`, floor: (sum) => `, от ${sum}`, rest: 'Остальной отбор на это не влияет.', manage: 'Настроить' },
};
