package com.example.lighthouse.web;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;

import com.example.lighthouse.model.Light;
import com.example.lighthouse.model.Rhythm;
import com.example.lighthouse.service.Register;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class LightPageTest {

    @Test
    @DisplayName("every light of the coast has its row")
    void showsEveryLight() {
        var lights = Register.ofTheCoast().lights();
        String page = LightPage.render(lights);
        assertAll(lights.stream().map(light -> () -> assertTrue(page.contains("<td>" + light.name() + "</td>"))));
    }

    @Test
    void escapesNames() {
        var light = new Light("<b>&\"", Rhythm.parse("Fl W 5s"), 3);
        assertTrue(LightPage.render(List.of(light)).contains("<td>&lt;b&gt;&amp;&quot;</td>"));
    }

    @Test
    void anEmptyRegisterIsAnEmptyTable() {
        assertEquals(-1, LightPage.render(List.of()).indexOf("<tr>"));
    }
}
