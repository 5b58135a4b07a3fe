package com.example.harbour;

/** The line with which the harbour answers a call. */
public final class Greeting {

    private final Settings settings;
    private final Quay quay;

    public Greeting(Settings settings, Quay quay) {
        this.settings = settings;
        this.quay = quay;
    }

    public String text() {
        int free = quay.free();
        String berths = switch (free) {
            case 0 -> "no berth free";
            case 1 -> "1 berth free";
            default -> free + " berths free";
        };
        return "Welcome to " + settings.name() + " (harbour " + settings.version() + "): " + berths;
    }
}
