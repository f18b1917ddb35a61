/**
 * A chime and the system's own notifications. Neither is heard or seen before somebody has pressed something here:
 * browsers would refuse it, and people would be right to.
 */

/** In a burst of orders one chime says it. */
const CHIME_GAP_MS = 3_000;
/** Two notes up, in hertz and seconds: heard in a noisy room, and short. */
const NOTES = [{ pitch: 660, at: 0 }, { pitch: 990, at: 0.13 }];
const NOTE_S = 0.28;
const LOUDNESS = 0.22;
const LATE_MS = 2_000;

let context: AudioContext | null = null;
let lastMs = -Infinity;

/** Whether somebody has pressed something on this page since it was opened. */
export function wasTouched(): boolean {
  return navigator.userActivation?.hasBeenActive ?? false;
}

/** Plays the chime; false when it may not be heard now. `asked`: by a press, so at once. */
export function chime(nowMs: number, asked: 'by a press' | 'by news'): boolean {
  if (!wasTouched() || typeof AudioContext === 'undefined') return false;
  if (asked === 'by news') {
    if (nowMs - lastMs < CHIME_GAP_MS) return false;
    lastMs = nowMs;
  }
  context ??= new AudioContext();
  if (context.state !== 'running') wake(context);
  for (const { pitch, at } of NOTES) note(context, pitch, context.currentTime + at);
  return true;
}

/** A phone puts sound to sleep, and a device may fail. What is not heard soon must not be heard late: the next chime begins anew. */
function wake(audio: AudioContext): void {
  audio.resume().catch(() => {});
  setTimeout(() => {
    if (audio.state === 'running') return;
    if (context === audio) context = null;
    audio.close().catch(() => {});
  }, LATE_MS);
}

function note(audio: AudioContext, pitch: number, at: number): void {
  const tone = audio.createOscillator();
  const loudness = audio.createGain();
  tone.type = 'sine';
  tone.frequency.value = pitch;
  loudness.gain.setValueAtTime(0, at);
  loudness.gain.linearRampToValueAtTime(LOUDNESS, at + 0.012);
  loudness.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S);
  tone.connect(loudness).connect(audio.destination);
  tone.start(at);
  tone.stop(at + NOTE_S);
}

export type Permission = 'granted' | 'denied' | 'default' | 'unsupported';

export function permission(): Permission {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission;
}

/** To be called within a press: only then does a browser ask its user. */
export async function askPermission(): Promise<Permission> {
  return permission() === 'default' ? Notification.requestPermission() : permission();
}

/** `tag`: the same news is shown once, whoever else shows it. */
export function showSystem(text: string, tag: string, open: () => void): void {
  if (permission() !== 'granted') return;
  try {
    const shown = new Notification(text, { tag });
    shown.onclick = () => {
      window.focus();
      open();
      shown.close();
    };
  } catch {
    // Android's browsers show them by a service worker only; there the chime and the bell remain.
  }
}
