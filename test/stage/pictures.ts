import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import type { Language } from '../../domain/language.ts'

const directory = fileURLToPath(new URL('../../docs/images', import.meta.url))

/** CSS pixels; a picture has twice as many, so that it is sharp on every screen. */
const panel = { width: 380, height: 790 } as const
const gap = 16
const scale = 2
const picture = { width: 3 * panel.width + 4 * gap, height: panel.height + 2 * gap } as const
export const picture_size = { width: picture.width * scale, height: picture.height * scale } as const

/** Panel is one page as it stands in a picture: its pixels, and what they say. */
export interface Panel {
  png: Buffer
  text: string
}

/** The options of a browser's context in which panels are taken. */
export const panel_context = { viewport: panel, deviceScaleFactor: scale, colorScheme: 'light' } as const

export async function takePanel(page: Page): Promise<Panel> {
  await page.setViewportSize(panel)
  return { png: await page.screenshot({ animations: 'disabled' }), text: shownText(await page.innerText('body')) }
}

/** What a page says, without what is another each time: numbers, times, amounts of time. */
function shownText(text: string): string {
  return text
    .replaceAll(/T\d[\w-]+/g, 'T…')
    .replaceAll(/\d+/g, '0')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** Three panels side by side, each as it was taken: nothing is stretched. */
export async function composePicture(browser: Browser, panels: readonly Panel[]): Promise<Buffer> {
  const visit = await browser.newContext({ viewport: picture, deviceScaleFactor: scale })
  try {
    const page = await visit.newPage()
    const shown = panels.map(({ png }) => `<img src="data:image/png;base64,${png.toString('base64')}">`)
    const style = `body { margin: 0; padding: ${gap}px; display: flex; gap: ${gap}px; background: #fff }
      img { width: ${panel.width}px; height: ${panel.height}px; border-radius: 12px; outline: 1px solid #ddd }`
    await page.setContent(`<style>${style}</style>${shown.join('')}`, { waitUntil: 'load' })
    return await page.screenshot()
  } finally {
    await visit.close()
  }
}

const nameOf = (language: Language) => (language === 'en' ? 'checkout' : `checkout.${language}`)

/** Replaces the picture that the README shows, and what it says beside it. */
export async function keepPicture(language: Language, png: Buffer, panels: readonly Panel[]): Promise<void> {
  await writeFile(join(directory, `${nameOf(language)}.png`), png)
  await writeFile(join(directory, `${nameOf(language)}.txt`), textOf(panels))
}

/** The picture that is kept, and what it says. */
export async function keptPicture(language: Language): Promise<{ png: Buffer; text: string }> {
  const [png, text] = await Promise.all([
    readFile(join(directory, `${nameOf(language)}.png`)),
    readFile(join(directory, `${nameOf(language)}.txt`), 'utf8'),
  ])
  return { png, text }
}

export function textOf(panels: readonly Panel[]): string {
  return panels.map(({ text }) => `${text}\n`).join('')
}

/** A PNG's header says it: eight bytes of signature, then the chunk IHDR. */
export function sizeOfPng(png: Buffer): { width: number; height: number } {
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20) }
}
