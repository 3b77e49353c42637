// Loaded into a gateway before its own code, which would listen on all addresses: a bench is nobody else's business.
import { Server } from 'node:net';

const { listen } = Server.prototype;

Server.prototype.listen = function listenOnLoopback(...given) {
  const port = typeof given[0] === 'object' ? given[0].port : given[0];
  return listen.call(this, { port, host: '127.0.0.1' }, given.find((one) => typeof one === 'function'));
};
