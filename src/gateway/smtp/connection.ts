/** The SMTP library's server, with enhanced status codes that say what happened and not only what kind it was. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { SMTPServer } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { opensWithStatus } from './refusal.ts'

/** A server whose handlers may put an enhanced status code of their own before an error's text. */
export class GatewayServer extends SMTPServer {
  override connect(socket: Socket | TLSSocket, options?: SMTPConnectionOptions | null): void {
    const connection = new Connection(this, socket, options)
    this.connections.add(connection)
    connection.on('error', (error: Error) => this.emit('error', error))
    connection.init()
  }

  /** Ends the connection of a session, with a word. */
  hangUp(sessionId: string, text: string): void {
    for (const connection of this.connections) if (connection.id === sessionId) connection.send(421, text)
  }
}

class Connection extends SMTPConnection {
  /** The library derives the status code from the reply code alone, and every 550 would be an unknown mailbox. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    super.send(code, data, typeof data === 'string' && opensWithStatus(data) ? false : context)
  }
}
