/** Whether a port can be had, asked before anything is started. */
import { createServer } from 'node:net'
import { StartTrouble } from './trouble.ts'

/** @throws StartTrouble naming the port and the variable that changes it. */
export async function needPort(host: string, port: number, variable: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const server = createServer()
  server.once('error', (error) => reject(portTrouble(port, variable, error)))
  server.listen({ port, host }, resolve)
  await promise
  await new Promise((closed) => server.close(closed))
}

/** Why a port cannot be had, in one line. */
export function portTrouble(port: number, variable: string, error: Error): StartTrouble {
  const code = 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return new StartTrouble(`Port ${port} is in use: set ${variable} to another one.`)
  if (code === 'EACCES')
    return new StartTrouble(`Port ${port} may not be used here: set ${variable} to one above 1023.`)
  return new StartTrouble(`Port ${port} cannot be used (${error.message}): set ${variable} to another one.`)
}
