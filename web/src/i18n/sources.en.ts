/** Where answers come from, in English. */
export const en = {
  about: 'What the server has answered this page lately, where that came from, and how old it was. Newest first.',
  live: (node: string, age: string) => `Live news come from the memory of node ${node}; the last ones ${age} ago.`,
  notLive: 'Live news do not come at the moment: what is on the screen may be out of date.',
  sources: { mysql: 'Database', memory: 'Server’s memory', node: 'Server' } as Record<string, string>,
  says: {
    mysql: () => 'read for this answer', memory: (age: string) => `${age} old`, node: () => 'known without the database',
  } as Record<string, (age: string) => string>,
  took: (ms: string) => `took ${ms} ms`,
  ago: (age: string) => `${age} ago`,
  none: 'No answer has said where it comes from. Browsers tell pages this only over https and on the server’s own machine.',
};

export type SourcesTexts = typeof en;
