package com.example.harbour;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Properties;

import org.junit.jupiter.api.Test;

class GreetingTest {

    @Test
    void countsFreeBerths() {
        var berths = List.of(new Berth("only", 40, 5));
        var quay = new Quay(berths);
        var greeting = new Greeting(new Settings("Bergen", "7", berths), quay);
        assertEquals("Welcome to Bergen (harbour 7): 1 berth free", greeting.text());
        quay.moor(new Ship("Sjøbris", 35, 2));
        assertEquals("Welcome to Bergen (harbour 7): no berth free", greeting.text());
    }

    @Test
    void readsTheSettingsOfTheApplication() {
        var settings = Settings.load();
        assertEquals("Ålesund", settings.name());
        assertEquals(3, settings.berths().size());
        assertFalse(settings.version().contains("$"), "Maven did not fill in the version");
    }

    @Test
    void saysWhichSettingIsMissing() {
        var refused = assertThrows(IllegalArgumentException.class, () -> Settings.of(new Properties()));
        assertEquals("harbour.name is missing in /harbour.properties", refused.getMessage());
    }
}
