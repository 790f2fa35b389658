/** What of mailauth's inner modules the tests use; the package declares its main module alone. */
declare module 'mailauth/lib/dkim/verify' {
  export function dkimVerify(
    mail: Buffer,
    options: { resolver: (name: string, type: string) => Promise<string[][]> },
  ): Promise<{ results: { signingDomain: string; status: { result: string; comment?: string } }[] }>
}
