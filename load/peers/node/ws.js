// The library `ws` alone: each message of a channel of Redis is sent to every client as it came.
//   node ws.js PORT REDIS_PORT CHANNEL
import { Redis } from 'ioredis'
import { WebSocketServer } from 'ws'

const [port, redisPort, channel] = process.argv.slice(2)
const server = new WebSocketServer({ port: Number(port), host: '127.0.0.1', backlog: 4096, perMessageDeflate: false })
// A client that goes away is no reason to end.
server.on('connection', (client) => client.on('error', () => {}))
const news = new Redis(Number(redisPort), '127.0.0.1')
news.on('messageBuffer', (_, message) => {
  for (const client of server.clients) if (client.readyState === 1) client.send(message, { binary: false })
})
await news.subscribe(channel)
