import qrcode from 'qrcode'
import { html, trustedHtml } from '../http/markup.ts'
import type { SafeHtml } from '../http/markup.ts'
import type { Scene } from './scene.ts'

/** A QR code as an SVG document: black on white in every colour scheme, with the quiet zone that cameras need. */
export async function qrCodeSvg(text: string): Promise<string> {
  return qrcode.toString(text, { type: 'svg', errorCorrectionLevel: 'M', margin: 2 })
}

/**
 * What a dead code looks like from afar. It leads nowhere, so that undoing the blur gives nothing to pay to. Drawn once,
 * since every page holds it.
 */
export const dead_code_svg: Promise<string> = qrCodeSvg('weft: this code is no longer valid')

type Mark = 'done' | 'back' | 'wait' | 'stop'

/** The picture that takes the code's place when there is nothing left to scan. */
export const scene_marks: Partial<Record<Scene, Mark>> = {
  paid: 'done',
  accepted: 'done',
  fulfilled: 'done',
  late: 'back',
  refunding: 'back',
  returning: 'back',
  part_refunded: 'back',
  refunded: 'back',
  delayed: 'wait',
  review: 'wait',
  failed: 'stop',
}

const mark_paths: Record<Mark, string> = {
  done: 'M20 33.5 28.5 42 45 24',
  back: 'M22 28h16a8 8 0 0 1 0 16h-8M28 21l-7 7 7 7',
  wait: 'M32 20v13l8 5',
  stop: 'M24 24 40 40M40 24 24 40',
}

/** A ring with a sign in it, drawn with the colour of the text around it. */
export function markSvg(mark: Mark): SafeHtml {
  return html`<svg viewBox="0 0 64 64" width="112" height="112" fill="none" aria-hidden="true" focusable="false">
    <circle cx="32" cy="32" r="29" stroke="currentColor" stroke-width="2.5" />
    ${trustedHtml(`<path class="sign" d="${mark_paths[mark]}"/>`)}
  </svg>`
}

/** Four corners and a line: the sign for scanning. */
export const scan_svg = html`<svg viewBox="0 0 24 24" width="20" height="20" fill="none" aria-hidden="true">
  <path
    d="M4 8V5.5A1.5 1.5 0 0 1 5.5 4H8M16 4h2.5A1.5 1.5 0 0 1 20 5.5V8M20 16v2.5a1.5 1.5 0 0 1-1.5 1.5H16M8 20H5.5A1.5 1.5 0 0 1 4 18.5V16M4 12h16"
    stroke="currentColor"
    stroke-width="1.8"
    stroke-linecap="round"
  />
</svg>`
