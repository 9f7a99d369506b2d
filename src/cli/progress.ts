/** Progress of a long command: one line that is written over where a person watches, plain lines now and then elsewhere. */
import type { RunEvent, ValidationEvent } from '../experiments/run-types.ts';
import { valueText } from './evaluation-text.ts';
import type { Terminal } from './terminal.ts';

/** Least time between plain lines of progress. */
const plainIntervalMs = 10_000;
const clearLine = '\r\u001b[2K';

/** Where progress goes. */
export interface Progress {
  /** Shows the present state; it replaces the state shown before. */
  show(text: string): void;
  /** Prints a line that stays. */
  print(text: string): void;
  /** Leaves the cursor at the start of an empty line. */
  end(): void;
}

/** Progress on a terminal. */
export function createProgress(terminal: Terminal): Progress {
  let shown = '';
  let lastPlainMs = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (shown !== '') terminal.err(clearLine);
    shown = '';
  };
  return {
    show(text) {
      if (terminal.interactive) {
        shown = text.slice(0, Math.max(1, terminal.columns() - 1));
        terminal.err(`${clearLine}${shown}`);
      } else if (terminal.now() - lastPlainMs >= plainIntervalMs) {
        lastPlainMs = terminal.now();
        terminal.err(`${text}\n`);
      }
    },
    print(text) {
      const state = shown;
      clear();
      terminal.err(`${text}\n`);
      if (state !== '') this.show(state);
    },
    end: clear,
  };
}

/** Kinds of events that come and go; the rest stays. */
const passing: readonly RunEvent['kind'][] = ['step', 'sample', 'preliminary', 'work'];

/** Shows an event: steps, samples and work come and go, the rest stays. */
export function showEvent(progress: Progress, event: RunEvent): void {
  const text = describeEvent(event);
  if (passing.includes(event.kind)) progress.show(text);
  else progress.print(text);
}

const integers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Loss scaling as a part of a line: the factor as the power of two that it is. */
function lossScaleText({ value, skipped }: { readonly value: number; readonly skipped: number }): string {
  return `loss scale 2^${Math.log2(value)}${skipped === 0 ? '' : `, ${integers.format(skipped)} updates skipped`}`;
}

/** An event as a line of text. */
export function describeEvent(event: RunEvent): string {
  switch (event.kind) {
    case 'step':
      return [
        `${integers.format(event.imagesSeen)} of ${integers.format(event.images)} images`,
        `loss ${event.loss.toFixed(4)}`,
        ...(event.codes === undefined ? [] : [`${integers.format(event.codes.used)} codes`]),
        ...(event.pairing === undefined ? [] : [`${event.pairing.reassigned} of ${event.pairing.rows} reassigned`]),
        ...(event.lossScale === undefined ? [] : [lossScaleText(event.lossScale)]),
        ...(event.target === undefined ? [] : [`own weight ${event.target.weight.toFixed(2)}`]),
        `${integers.format(event.imagesPerSecond)} images/s`,
        `${formatDuration(event.secondsLeft)} left`,
        ...(event.peakMemoryBytes === undefined ? [] : [`at most ${formatBytes(event.peakMemoryBytes)}`]),
      ].join('  ');
    case 'validation':
      return `${integers.format(event.imagesSeen)} images: held-out loss ${event.loss.toFixed(4)} ± ${event.standardError.toFixed(4)}${reconstructionText(event)}`;
    case 'evaluation': {
      const values = event.metrics.map((metric) => `${metric.name} ${valueText(metric)}`).join(', ');
      return `${integers.format(event.imagesSeen)} images: ${values}${event.best === true ? ', the best so far' : ''}`;
    }
    case 'checkpoint':
      return `${integers.format(event.imagesSeen)} images: checkpoint ${event.path}`;
    case 'preliminary':
      return [
        `coupling: ${integers.format(event.done)} of ${integers.format(event.total)}`,
        ...(event.pairing === undefined ? [] : [`cost ${event.pairing.cost.toFixed(2)}`]),
        `${formatDuration(event.secondsLeft)} left`,
      ].join('  ');
    case 'coupling': {
      const { imagesSeen, cost, standardError, pairs, chiSquared } = event;
      const error = standardError === 0 ? '' : ` ± ${standardError.toFixed(2)}`;
      const shares =
        chiSquared === undefined
          ? ''
          : `, chi-squared of the shares ${chiSquared.value.toFixed(3)} ± ${chiSquared.standardError.toFixed(3)}`;
      return `${integers.format(imagesSeen)} images: transport cost ${cost.toFixed(2)}${error} of ${integers.format(pairs)} pairs${shares}`;
    }
    case 'sample': {
      const left = event.secondsLeft === null ? '' : `  ${formatDuration(event.secondsLeft)} left`;
      return `${integers.format(event.done)} of ${integers.format(event.count)} samples${left}`;
    }
    case 'work': {
      const what = event.what === undefined ? '' : `${event.what}, `;
      return `${what}${integers.format(event.done)} of ${integers.format(event.count)} ${event.unit}  ${formatDuration(event.secondsLeft)} left`;
    }
    case 'note':
      return event.text;
  }
}

function reconstructionText({ reconstruction }: ValidationEvent): string {
  if (reconstruction === undefined) return '';
  const { psnr, ssim, codes } = reconstruction;
  const used =
    codes === null ? '' : `, ${integers.format(codes.used)} codes, perplexity ${codes.perplexity.toFixed(1)}`;
  return `, PSNR ${psnr.toFixed(2)} dB, SSIM ${ssim.toFixed(3)}${used}`;
}

/** Bytes as 812 MiB or 2.3 GiB. */
export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1000 ? `${mebibytes.toFixed(0)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** Seconds as 0:07, 3:20 or 2:05:00. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}
