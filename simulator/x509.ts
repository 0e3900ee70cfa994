import { randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { sign } from '../wechat/signature.ts'

/** One ASN.1 value in DER: tag, length, content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const hex = body.length.toString(16)
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body])
}

const sequence = (...content: Buffer[]): Buffer => der(0x30, ...content)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))

const sha256WithRsa = sequence(oid('2a864886f70d01010b'), der(0x05))
const commonName = '550403'
const organizationName = '55040a'
const country = '550406'

function name(parts: [type: string, value: string][]): Buffer {
  return sequence(
    ...parts.map(([type, value]) => {
      const text = der(type === country ? 0x13 : 0x0c, Buffer.from(value)) // a country is PrintableString, RFC 5280
      return der(0x31, sequence(oid(type), text))
    }),
  )
}

/** UTCTime holds two digits of the year and is prescribed until 2049; later moments take GeneralizedTime. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  return digits < '2050' ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}

/** X509Name is whom a certificate names: common name and organisation, in China. */
export interface X509Name {
  common_name: string
  organization: string
}

export const platform_name: X509Name = {
  common_name: 'Tenpay.com sign (simulator)',
  organization: 'Tenpay.com (simulator)',
}
export const authority_name: X509Name = {
  common_name: 'Tenpay.com Root CA (simulator)',
  organization: 'Tenpay.com (simulator)',
}

interface CertificateParts {
  subject: X509Name
  public_key: KeyObject
  issuer: X509Name
  /** the issuer's */
  private_key: KeyObject
  /** Unix ms */
  effective_time: number
  expire_time: number
}

/**
 * Makes an X.509 certificate (PEM) in the shape of a platform certificate, with the 40 upper-case hex digits of its
 * serial number. By hand, because Node cannot make certificates and a few DER values are all it takes:
 * `@peculiar/x509` (2.2.0) brings 20 packages and asks for a polyfill of the global `Reflect`.
 */
export function makeCertificate(parts: CertificateParts): { serial_no: string; pem: string } {
  const serial = randomBytes(20)
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f) // positive and without a leading zero: always 20 bytes
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    sha256WithRsa,
    nameOf(parts.issuer),
    sequence(time(parts.effective_time), time(parts.expire_time)),
    nameOf(parts.subject),
    parts.public_key.export({ format: 'der', type: 'spki' }),
  )
  const signature = Buffer.from(sign(content, parts.private_key), 'base64')
  const certificate = sequence(content, sha256WithRsa, der(0x03, Buffer.from([0]), signature))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  const pem = ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
  return { serial_no: serial.toString('hex').toUpperCase(), pem }
}

function nameOf({ common_name, organization }: X509Name): Buffer {
  return name([
    [commonName, common_name],
    [organizationName, organization],
    [country, 'CN'],
  ])
}
