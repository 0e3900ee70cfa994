import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A file of test/vectors. Its README says where each vector comes from and what was checked about it. */
export function vectorsOf(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
}

interface PublishedKey {
  mchid?: string
  merchant_serial_no?: string
  private_key_pkcs8_der_base64?: string
  public_key_spki_der_base64: string
  certificates?: { serial_no: string; certificate_der_base64: string }[]
}

const published = (vectorsOf('keys') as { keys: Record<string, PublishedKey> }).keys

export function publishedKey(name: string): PublishedKey {
  const key = published[name]
  if (!key) throw new Error(`no published key ${name}`)
  return key
}

export function privateKey(name: string): KeyObject {
  const der = publishedKey(name).private_key_pkcs8_der_base64
  if (!der) throw new Error(`the private half of ${name} is not published`)
  return createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' })
}

export function publicKey(name: string): KeyObject {
  const der = Buffer.from(publishedKey(name).public_key_spki_der_base64, 'base64')
  return createPublicKey({ key: der, format: 'der', type: 'spki' })
}

export function certificatePem(name: string, serial: string): string {
  const found = publishedKey(name).certificates?.find((certificate) => certificate.serial_no === serial)
  if (!found) throw new Error(`no certificate ${serial} of ${name}`)
  const lines = found.certificate_der_base64.match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** Header names as Node's HTTP server hands them over. */
export function received(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
