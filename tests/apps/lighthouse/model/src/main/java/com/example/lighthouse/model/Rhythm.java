package com.example.lighthouse.model;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How a light blinks, as charts write it: {@code Fl(3) W 10s} is three white flashes in ten seconds. */
public record Rhythm(Kind kind, int group, Colour colour, int seconds) {

    /** Flashing is more dark than light, occulting the other way round. */
    public enum Kind { FL, OC, ISO }

    public enum Colour { W, R, G }

    private static final Pattern NOTATION =
            Pattern.compile("(Fl|Oc|Iso)(?:\\((\\d+)\\))? ([WRG]) (\\d+)s");

    public static Rhythm parse(String text) {
        Matcher matcher = NOTATION.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("not a rhythm like \"Fl(3) W 10s\": \"" + text + "\"");
        }
        int group = matcher.group(2) == null ? 1 : Integer.parseInt(matcher.group(2));
        return new Rhythm(
                Kind.valueOf(matcher.group(1).toUpperCase(java.util.Locale.ROOT)),
                group,
                Colour.valueOf(matcher.group(3)),
                Integer.parseInt(matcher.group(4)));
    }

    @Override
    public String toString() {
        String name = kind.name().charAt(0) + kind.name().substring(1).toLowerCase(java.util.Locale.ROOT);
        return name + (group > 1 ? "(" + group + ")" : "") + " " + colour + " " + seconds + "s";
    }
}
