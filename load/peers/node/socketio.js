// Socket.IO with its Redis adapter, in one process, as its documentation sets it up. An order comes in over a channel of
// Redis, where an application would have had an HTTP request, and goes to everybody through the adapter.
//   node socketio.js PORT REDIS_PORT CHANNEL
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'

const [port, redisPort, channel] = process.argv.slice(2)
const connect = () => new Redis(Number(redisPort), '127.0.0.1')
const server = createServer()
const adapter = createAdapter(connect(), connect())
const io = new Server(server, { adapter, transports: ['websocket'], perMessageDeflate: false })
const news = connect()
news.on('message', (_, order) => io.emit('order', JSON.parse(order)))
await news.subscribe(channel)
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 })
