// Keeps a client from speaking with anybody but this machine: a connection elsewhere fails, and is remembered.
//
//     import { strangers } from './loopback.mjs'; // before what it is to watch
import net from 'node:net';

export const strangers = [];

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...parameters) {
  const given = Array.isArray(parameters[0]) ? parameters[0][0] : parameters[0];
  const host = given?.host ?? (typeof parameters[1] === 'string' ? parameters[1] : '127.0.0.1');
  if (!given?.path && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
    strangers.push(host);
    throw new Error(`no connection to ${host} is allowed here`);
  }
  return connect.apply(this, parameters);
};
