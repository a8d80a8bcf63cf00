"use strict";
// Plays the rhythm of a signal (Web Audio, no file). The rhythms come from the server: one table has them all.
const sound = (() => {
  const HIGH_HZ = 988; // a square wave has harmonics: it is heard in noise, and by who hears high tones badly
  const LOW_HZ = 247;
  const EDGE_SECONDS = 0.005; // a tone that begins at once clicks
  const given = document.documentElement.dataset.sounds;
  const forms = given ? JSON.parse(given) : null;
  let context = null;

  // Lay the tones of a rhythm on a context's time line; return when they end.
  const schedule = (where, form, seconds, at) => {
    const tone = where.createOscillator();
    const volume = where.createGain();
    tone.type = "square";
    tone.frequency.value = form.high ? HIGH_HZ : LOW_HZ;
    tone.connect(volume).connect(where.destination);
    volume.gain.setValueAtTime(0, at);
    let time = at;
    for (const element of form.rhythm) {
      const end = time + (element === "-" ? seconds.long : seconds.short);
      volume.gain.setValueAtTime(0, time);
      volume.gain.linearRampToValueAtTime(0.8, time + EDGE_SECONDS);
      volume.gain.setValueAtTime(0.8, end - EDGE_SECONDS);
      volume.gain.linearRampToValueAtTime(0, end);
      time = end + seconds.gap;
    }
    tone.start(at);
    tone.stop(time);
    return time;
  };

  const ready = () => context !== null && context.state === "running";

  // Ask the browser for sound; it may want a person to touch the page first.
  const ask = (changed) => {
    if (forms === null) return;
    if (context === null) {
      context = new AudioContext();
      context.onstatechange = changed;
    }
    if (!ready()) context.resume().catch(() => {});
    changed();
  };

  const play = (signal) => {
    if (forms === null || !ready() || !(signal in forms.tones)) return;
    schedule(context, forms.tones[signal], forms.seconds, context.currentTime + EDGE_SECONDS);
    document.body.dataset.sounded = signal;
  };

  return { ask, play, ready, schedule, forms };
})();
