/** The words a person filters by: all of them, anywhere in the line, in any case. */

type Searchable = { id: number; title: string; customer: { name: string } };

export function matcher(text: string): (order: Searchable) => boolean {
  const words = fold(text).split(/\s+/).filter(Boolean);
  if (words.length === 0) return () => true;
  return (order) => {
    const line = fold(`${order.title} ${order.customer.name} ${order.id}`);
    return words.every((word) => line.includes(word));
  };
}

/** Russians write е for ё, and expect to find it. */
function fold(text: string): string {
  return text.toLowerCase().replaceAll('ё', 'е');
}
