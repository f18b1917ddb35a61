//! The demo market's people and their orders, Russian and English as on a real board.

/// An order that could be posted.
pub(super) struct Template {
    pub(super) category: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// The price, from and to.
    pub(super) roubles: (i64, i64),
}

pub(super) const CUSTOMERS: &[&str] = &[
    "Анна Соколова",
    "Игорь Мельников",
    "Мария Орлова",
    "Кафе «Полдень»",
    "Студия «Север»",
    "Павел Гусев",
    "Emma Clarke",
    "Ольга Титова",
    "ООО «Лотос»",
    "Денис Фомин",
    "Виктор Зуев",
    "Lucas Meyer",
];

pub(super) const EXECUTORS: &[&str] = &[
    "Сергей Волков",
    "Алина Ким",
    "Рустам Галиев",
    "Tom Becker",
    "Наталья Белова",
    "Артём Жуков",
    "Илья Панов",
    "Светлана Лис",
    "Максим Ершов",
    "Nina Rossi",
];

/// Category, title, description, price from, price to.
const fn order(category: &'static str, title: &'static str, description: &'static str, from: i64, to: i64) -> Template {
    Template { category, title, description, roubles: (from, to) }
}

pub(super) const TEMPLATES: &[Template] = &[
    order("delivery", "Доставить документы в налоговую", "Забрать пакет на Тверской и отвезти в ИФНС № 7 до 16:00.", 400, 900),
    order("delivery", "Забрать торт и привезти к празднику", "Торт 3 кг в коробке, нужна аккуратная машина.", 600, 1200),
    order("delivery", "Отвезти ключи от квартиры", "От метро «Сокол» до «Аэропорта», передать лично в руки.", 300, 600),
    order("delivery", "Deliver flowers across town", "A bouquet, fragile; the recipient is at home after six.", 500, 1100),
    order("cleaning", "Генеральная уборка двухкомнатной квартиры", "54 м², окна не мыть, есть кошка. Средства свои.", 3500, 6500),
    order("cleaning", "Помыть окна в офисе", "12 створок, второй этаж, нужен свой инвентарь.", 2500, 5000),
    order("cleaning", "Clean the flat after renovation", "Dust everywhere, 40 m², one bathroom.", 4500, 9000),
    order("repair", "Повесить люстру и заменить выключатель", "Потолок 2,7 м, крюк есть, стремянка есть.", 1200, 2500),
    order("repair", "Починить стиральную машину", "Не сливает воду, Bosch, восемь лет.", 1500, 4000),
    order("repair", "Собрать кухонный шкаф", "Икеа, три секции, инструкция на месте.", 2000, 4500),
    order("repair", "Fix a dripping kitchen tap", "Grohe single lever; the cartridge may need replacing.", 800, 2000),
    order("moving", "Перевезти диван на дачу", "Диван разбирается, грузовой лифт есть, 40 км.", 4000, 8000),
    order("moving", "Нужны два грузчика на три часа", "Пианино с третьего этажа без лифта.", 4500, 9000),
    order("moving", "Help moving a studio flat", "About twenty boxes and a bicycle.", 5000, 9500),
    order("it", "Настроить роутер и принтер", "Два этажа, сигнал не доходит до спальни.", 1200, 2800),
    order("it", "Перенести почту на новый домен", "Пять ящиков, переезд без простоя.", 3000, 7000),
    order("it", "Speed up a slow laptop", "Windows, seven years old; an SSD is on the desk.", 1500, 3500),
    order("it", "Написать скрипт выгрузки заказов", "CSV из админки каждое утро на почту.", 4000, 9500),
    order("design", "Нарисовать логотип для пекарни", "Тёплые цвета, три варианта, исходники в SVG.", 5000, 15000),
    order("design", "Сверстать меню для кафе", "Две полосы А4, тексты и фото готовы.", 3000, 7000),
    order("design", "Design a conference badge", "Print-ready PDF with crop marks, by Friday.", 2500, 6000),
    order("texts", "Перевести договор с английского", "Девять страниц, юридический текст.", 4500, 9000),
    order("texts", "Вычитать диплом", "72 страницы, орфография и пунктуация.", 3500, 7000),
    order("texts", "Write product descriptions", "Thirty ceramic cups, 400 characters each.", 4000, 8000),
    order("tutoring", "Подготовить к ОГЭ по математике", "Пробное занятие, ученик девятого класса.", 1200, 2500),
    order("tutoring", "Разговорный английский, один час", "Уровень B1, тема — собеседование.", 1000, 2200),
    order("tutoring", "Explain recursion to a teenager", "One hour, in Python, with patience.", 1200, 2400),
    order("photo", "Снять детский день рождения", "Два часа, 60 обработанных кадров.", 6000, 14000),
    order("photo", "Смонтировать ролик до минуты", "Материал с телефона, музыка на ваш вкус.", 3000, 7500),
    order("photo", "Photograph ten dishes for a menu", "Daylight, white background, retouched.", 5000, 12000),
    order("other", "Постоять в очереди за справкой", "МФЦ открывается в восемь, номер 40–50.", 800, 1800),
    order("other", "Выгулять собаку вечером", "Лабрадор, спокойный, час в парке.", 500, 1200),
    order("other", "Water the plants for a week", "Six pots, every second day, near the station.", 1200, 2500),
];
