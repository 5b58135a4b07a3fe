package com.example.harbour;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The berths of the harbour and who lies where. */
public class Quay {

    private final List<Berth> berths;
    private final Map<Berth, Ship> taken = new LinkedHashMap<>();

    public Quay(List<Berth> berths) {
        this.berths = List.copyOf(berths);
    }

    /** Gives the ship the shortest free berth that takes it, so that long berths stay free for long ships. */
    public synchronized Optional<Berth> moor(Ship ship) {
        Optional<Berth> place = berths.stream()
                .filter(berth -> !taken.containsKey(berth) && berth.takes(ship))
                .min(Comparator.comparingDouble(Berth::length));
        place.ifPresent(berth -> taken.put(berth, ship));
        return place;
    }

    public synchronized int free() {
        return berths.size() - taken.size();
    }
}
